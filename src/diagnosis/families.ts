import type { Family } from '../metrics/families.ts';
import { Labels, type Sample } from '../promql/labels.ts';

/**
 * The samples of families in memory whose metrics are wanted, as readExposition returns those of the page that they
 * make.
 */
export const readFamilies = (
  families: Iterable<Family>,
  isWanted: (metric: string) => boolean,
  target: Readonly<Record<string, string>>,
): Sample[] => {
  const samples: Sample[] = [];
  const own = Object.entries(target);
  for (const { descriptor, samples: all } of families)
    for (const { value, metricName: name = descriptor.name, sharedLabels, labels } of all)
      if (isWanted(name))
        samples.push({ name, labels: Labels.of([...Object.entries({ ...sharedLabels, ...labels }), ...own]), value });
  return samples;
};

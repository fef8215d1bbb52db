import type { HelperLink } from '../host/helper/helper-link.ts';
import type { Families } from '../metrics/families.ts';
import { noLabels } from '../metrics/labels.ts';
import { metrics } from './exporter-metrics.ts';

/** Metrics of the helper's state. */
export class HelperMetrics {
  readonly #link: Pick<HelperLink, 'status'>;

  constructor(link: Pick<HelperLink, 'status'>) {
    this.#link = link;
  }

  addTo(out: Families): void {
    const { status } = this.#link;
    out.add(metrics.helperUp, noLabels, status ? 1 : 0);
    out.add(metrics.helperResident, noLabels, status?.residentBytes);
    out.add(metrics.helperCpu, noLabels, status?.cpuSeconds);
  }
}

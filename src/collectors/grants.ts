import { xenProgram } from '../sources/programs.ts';
import { Unavailable } from '../host/unavailable.ts';
import { parseGnttabQuerySize } from '../formats/xen-diag.ts';
import { parseXlList } from '../formats/xl-list.ts';
import { gauge } from '../metrics/descriptor.ts';
import { readCommand, type Doubt } from '../sources/background-reading.ts';
import { absentCollector, defineCollector } from './collector.ts';
import { domainLabels } from '../sources/toolstack/domain-directory.ts';

const source = { source: 'xen-diag gnttab_query_size', versions: 'Xen 4.10 and later' } as const;
const domainLabel = ['domain'] as const;

const metrics = {
  frames: gauge('xen_domain_grant_frames', {
    meaning:
      "Frames of the domain's grant table; each holds 512 grants (version 1). A high-water mark: the table never shrinks.",
    labels: domainLabel,
    ...source,
  }),
  limit: gauge('xen_domain_grant_frames_limit', {
    meaning: "Frames that the domain's grant table may grow to (max_grant_frames).",
    labels: domainLabel,
    ...source,
  }),
};

/** Fill level of grant tables: a guest without free grants cannot post receive buffers. */
export const grants = defineCollector({
  name: 'grants',
  help: "Size and limit of every domain's grant table, from xen-diag.",
  enabledByDefault: true,
  maxSeries: 2000,
  options: {},
  metrics: Object.values(metrics),
  create: ({ host: { commands }, toolstack }) => {
    const { xl } = toolstack;
    if (xl instanceof Unavailable) return absentCollector(xl);
    const program = xenProgram(commands, 'xen-diag');
    if (program instanceof Unavailable) return absentCollector(program);

    const readSizes = async (doubt: Doubt) => {
      const check = xl.expectDomains();
      const list = xl.domains.last ?? (await xl.read(['list', '-v'], parseXlList, doubt));
      const sizes: ReturnType<typeof parseGnttabQuerySize>[] = [];
      let failure: Error | undefined;
      for (const { domid } of list) {
        const args = ['gnttab_query_size', String(domid)];
        const command = toolstack.command('xen-diag gnttab_query_size', program, args);
        try {
          sizes.push(await readCommand(commands, command, parseGnttabQuerySize, doubt));
        } catch (error) {
          // A domain may disappear meanwhile, but Dom0 cannot.
          failure ??= error as Error;
        }
      }
      if (failure === undefined) return sizes;
      if (sizes.length === 0) throw failure;
      const { message } = failure;
      await check('xen-diag gnttab_query_size', sizes, (why) => doubt(`${why} (${message})`));
      return sizes;
    };
    const sizes = toolstack.reading('xen-diag gnttab_query_size', toolstack.scheduled, readSizes);
    return {
      availability: () => true,
      background: [sizes],
      sharedTasks: [xl.domains],
      collect: ({ out }) => {
        const names = domainLabels(xl.domains.last ?? []);
        for (const { domid, frames, maxFrames } of sizes.fresh ?? []) {
          const label = names.get(domid);
          if (label === undefined) continue;
          const labels = out.labels(domainLabel, label);
          out.gauge(metrics.frames, labels, frames);
          out.gauge(metrics.limit, labels, maxFrames);
        }
      },
    };
  },
});

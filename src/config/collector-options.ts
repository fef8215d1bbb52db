// Options that several collectors have.
import { choiceOption, fileOnly, numberOption, type Option } from './option.ts';

/** Whether a collector's series are for each queue, or one for each vif; `--collector.queues` sets it for all collectors. */
export const queuesOption: Option<'vif' | 'each'> = {
  ...fileOnly(
    choiceOption({
      help: 'As --collector.queues, for this collector.',
      default: 'vif',
      choices: ['vif', 'each'],
    }),
  ),
  inherits: 'collector.queues',
};

/** The most series that a collector may give; `--collector.max-series` sets it for all collectors. */
export const maxSeriesOption = (ofCollector: number): Option<number> => ({
  ...fileOnly(
    numberOption({
      help: 'As --collector.max-series, for this collector.',
      default: ofCollector,
      metavar: 'NUMBER',
      min: 1,
      max: 1e6,
      whole: true,
    }),
  ),
  inherits: 'collector.max-series',
});

/** The options of a collector's sampler. `what`: what one sample reads. */
export const samplerOptions = (what: string, hertz: number, maxHertz: number) => ({
  'sampler-hertz': numberOption({
    help: `Samples of ${what} per second; 0 for none.`,
    default: hertz,
    metavar: 'NUMBER',
    min: 0,
    max: maxHertz,
  }),
  'sampler-cpu-budget': fileOnly(
    numberOption({
      help: 'Share of one core that the samples may cost; the sampler slows down to stay within it.',
      default: 0.005,
      metavar: 'SHARE',
      min: 0.0001,
      max: 1,
    }),
  ),
});

/** The options of what looks at the machine for a window of time now and then. `of`: whose windows. */
export const windowOptions = (
  of: string,
  windowSeconds: number,
): { window: Option<number>; interval: Option<number> } => ({
  window: numberOption({
    help: `Seconds that a window ${of} lasts.`,
    default: windowSeconds,
    metavar: 'SECONDS',
    min: 1,
    max: 300,
    whole: true,
  }),
  interval: numberOption({
    help: `Seconds from the start of a window ${of} to the start of the next; at least one second is between two.`,
    default: 60,
    metavar: 'SECONDS',
    min: 1,
    max: 3600,
  }),
});

/** The share of one core that something may cost beside what it is there for. */
export const cpuBudgetOption = (help: string, share: number): Option<number> =>
  fileOnly(numberOption({ help, default: share, metavar: 'SHARE', min: 0.0001, max: 1 }));

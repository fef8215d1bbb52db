// Options that several collectors share.
import { choiceOption, fileOnly, numberOption, type Option } from './option.ts';

/** Whether a collector exports series per queue or per vif. `--collector.queues` sets it for all collectors. */
export const queuesOption: Option<'vif' | 'each'> = {
  ...fileOnly(
    choiceOption({
      help: 'Like --collector.queues, for this collector.',
      default: 'vif',
      choices: ['vif', 'each'],
    }),
  ),
  inherits: 'collector.queues',
};

/** The series limit of a collector. `--collector.max-series` sets it for all collectors. */
export const maxSeriesOption = (ofCollector: number): Option<number> => ({
  ...fileOnly(
    numberOption({
      help: 'Like --collector.max-series, for this collector.',
      default: ofCollector,
      metavar: 'NUMBER',
      min: 1,
      max: 1e6,
      whole: true,
    }),
  ),
  inherits: 'collector.max-series',
});

/** Options of a collector's sampler. `what` names what one sample reads. */
export const samplerOptions = (what: string, hertz: number, maxHertz: number) => ({
  'sampler-hertz': numberOption({
    help: `Samples of ${what} per second while something moves, about one while nothing does; 0 for none.`,
    default: hertz,
    metavar: 'NUMBER',
    min: 0,
    max: maxHertz,
  }),
  'sampler-cpu-budget': fileOnly(
    numberOption({
      help: 'Share of one core that the samples may cost, with all that it takes to wake up for them; the sampler slows down to stay within it.',
      default: 0.01,
      metavar: 'SHARE',
      min: 0.0001,
      max: 1,
    }),
  ),
});

/** Options of a reader that observes the machine in windows. `of` names the owner of the windows. */
export const windowOptions = (
  of: string,
  windowSeconds: number,
): { window: Option<number>; interval: Option<number> } => ({
  window: numberOption({
    help: `Duration of a window ${of} in seconds.`,
    default: windowSeconds,
    metavar: 'SECONDS',
    min: 1,
    max: 300,
    whole: true,
  }),
  interval: numberOption({
    help: `Seconds from the start of a window ${of} to the start of the next. The gap is at least one second.`,
    default: 60,
    metavar: 'SECONDS',
    min: 1,
    max: 3600,
  }),
});

/** Share of one core that an overhead may use. */
export const cpuBudgetOption = (help: string, share: number): Option<number> =>
  fileOnly(numberOption({ help, default: share, metavar: 'SHARE', min: 0.0001, max: 1 }));

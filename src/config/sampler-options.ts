import { numberOption } from './option.ts';

/** The options of a collector's sampler. `what`: what one sample reads. */
export const samplerOptions = (what: string, hertz: number, maxHertz: number) => ({
  'sampler-hertz': numberOption({
    help: `Samples of ${what} per second; 0 for none.`,
    default: hertz,
    metavar: 'NUMBER',
    min: 0,
    max: maxHertz,
  }),
  'sampler-cpu-budget': numberOption({
    help: 'Share of one core that the samples may cost; the sampler slows down to stay within it.',
    default: 0.005,
    metavar: 'SHARE',
    min: 0.0001,
    max: 1,
  }),
});

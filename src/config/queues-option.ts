import { choiceOption } from './option.ts';

/** Whether a collector's series are for each queue, or one for each vif. */
export const queuesOption = choiceOption({
  help: "Series for each queue, or for each vif: then the label queue is empty, and the metric's HELP says whether it is the sum or the worst of the queues.",
  default: 'vif',
  choices: ['vif', 'each'],
});

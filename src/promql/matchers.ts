import type { Labels } from './labels.ts';
import type { Selector } from './tree.ts';

const anchored = new Map<string, RegExp>();

/** A regular expression of the whole value. Trees hold few different ones. */
export const wholeValue = (pattern: string): RegExp => {
  let expression = anchored.get(pattern);
  if (!expression) anchored.set(pattern, (expression = new RegExp(`^(?:${pattern})$`, 'su')));
  return expression;
};

/** Whether labels satisfy all matchers of a selector. A missing label is empty. */
export const matches = ({ matchers }: Selector, labels: Labels): boolean =>
  matchers.every(({ label, op, value }) => {
    const own = labels.get(label);
    const isEqual = op.endsWith('~') ? wholeValue(value).test(own) : own === value;
    return isEqual !== op.startsWith('!');
  });

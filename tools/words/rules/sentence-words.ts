import type { TextlintRuleReporter } from '@textlint/types';
import { StringSource } from 'textlint-util-to-string';

/** Words that a sentence may have. A piece of code is one word. */
const limit = 25;

const betweenSentences = /(?<=[.?!][)"]*)\s+/;

type Text = ConstructorParameters<typeof StringSource>[0];

const wordsOf = (sentence: string): number => sentence.split(/\s+/).filter((each) => /[\p{L}\d]/u.test(each)).length;

/** A textlint rule: reports sentences that are too long to be read once. Tables and blocks of code are not prose. */
const sentenceWords: TextlintRuleReporter = ({ Syntax, RuleError, locator, report }) => ({
  [Syntax.Paragraph](node) {
    const source = new StringSource(node as Text, {
      replacer({ node: part, maskValue, emptyValue }) {
        if (part.type === Syntax.Code) return maskValue('X');
        return part.type === Syntax.Html || part.type === Syntax.Comment ? emptyValue() : undefined;
      },
    });
    let end = 0;
    const text = source.toString();
    for (const sentence of text.split(betweenSentences)) {
      const start = text.indexOf(sentence, end);
      end = start + sentence.length;
      const words = wordsOf(sentence);
      if (words <= limit) continue;
      const padding = locator.at(source.originalIndexFromIndex(start) ?? 0);
      report(node, new RuleError(`A sentence of ${words} words; ${limit} are enough`, { padding }));
    }
  },
});

export default sentenceWords;

import type { ReadStream, WriteStream } from 'node:tty';

const toTop = '\u001b[H';
const clearRestOfLine = '\u001b[K';
const clearBelow = '\u001b[J';
const cutLongLines = '\u001b[?7l';
const wrapLongLines = '\u001b[?7h';
/** As raw mode reads it. */
const ctrlC = '\u0003';
const hint = 'q or Ctrl-C: end';

/** The streams of a terminal. */
export interface Terminal {
  input: Pick<ReadStream, 'isTTY' | 'setRawMode' | 'on' | 'off' | 'pause'>;
  output: Pick<WriteStream, 'rows' | 'write'>;
}

/** A text that fills the terminal and is redrawn in place, until q or Ctrl-C. Dispose it to restore the terminal. */
export class LiveScreen implements Disposable {
  readonly #terminal: Terminal;
  readonly #onData: (data: Buffer) => void;

  /** `quit` is called at q and Ctrl-C. In raw mode Ctrl-C is a character, not a signal. */
  constructor(terminal: Terminal, quit: () => void) {
    this.#terminal = terminal;
    this.#onData = (data) => {
      const keys = data.toString();
      if (keys.includes('q') || keys.includes(ctrlC)) quit();
    };
    const { input, output } = terminal;
    if (input.isTTY) {
      input.setRawMode(true);
      input.on('data', this.#onData);
    }
    output.write(`${cutLongLines}${toTop}${clearBelow}`);
  }

  /** Shows a text, or as many of its first lines as there is room for. */
  draw(text: string): void {
    const { output } = this.#terminal;
    const lines = text.trimEnd().split('\n');
    const room = output.rows - 2;
    const shown =
      lines.length <= room ? lines : [...lines.slice(0, room - 1), `... ${lines.length - room + 1} more lines`];
    output.write(`${toTop}${[...shown, '', hint].map((line) => `${line}${clearRestOfLine}`).join('\n')}${clearBelow}`);
  }

  [Symbol.dispose](): void {
    const { input, output } = this.#terminal;
    output.write(`${wrapLongLines}\n`);
    if (!input.isTTY) return;
    input.setRawMode(false);
    input.off('data', this.#onData).pause();
  }
}

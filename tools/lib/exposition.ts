// A strict parser of the text exposition format 0.0.4 for assertions. It throws where Prometheus is lenient.

export type Labels = Readonly<Record<string, string>>;

export interface Sample {
  name: string;
  labels: Labels;
  value: number;
}

export interface Family {
  type: string;
  help: string | undefined;
}

export interface Exposition {
  families: ReadonlyMap<string, Family>;
  /** All samples of this exact name, in order. */
  samples(name: string): readonly Sample[];
  /** Value of the sample that has at least these labels. Undefined if there is none; throws if there are several. */
  value(name: string, labels?: Labels): number | undefined;
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*/;
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\[\\"n])*)"(,|(?=\}))/;
const VALUE = /^ ([+-]?Inf|NaN|[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?: -?\d+)?$/;
const TYPES = ['counter', 'gauge', 'histogram', 'summary', 'untyped'];
const SUFFIXES: Record<string, readonly string[]> = {
  histogram: ['_bucket', '_sum', '_count'],
  summary: ['', '_sum', '_count'],
};

export function parseExposition(text: string): Exposition {
  const families = new Map<string, { type: string | undefined; help: string | undefined }>();
  const samples = new Map<string, Sample[]>();
  const series = new Set<string>();
  const finished = new Set<string>();
  let current: string | undefined;

  // All lines of a family must be contiguous.
  const enter = (family: string) => {
    if (family === current) return;
    if (finished.has(family)) throw new Error(`${family} is in more than one place`);
    if (current !== undefined) finished.add(current);
    current = family;
  };

  const readComment = (line: string) => {
    const [, keyword, name = '', rest] = /^# (HELP|TYPE) (\S+)(?: (.*))?$/.exec(line) ?? [];
    if (keyword === undefined) return;
    if (NAME.exec(name)?.[0] !== name) throw new Error('bad metric name');
    enter(name);
    const family = families.get(name) ?? { type: undefined, help: undefined };
    families.set(name, family);
    if (keyword === 'HELP') {
      if (family.help !== undefined) throw new Error('second HELP');
      family.help = unescape(rest ?? '');
    } else {
      if (family.type !== undefined) throw new Error('second TYPE');
      if (!TYPES.includes(rest ?? '')) throw new Error(`expected one of ${TYPES.join(', ')}`);
      if (samples.has(name)) throw new Error('TYPE after a sample');
      family.type = rest;
    }
  };

  const readSample = (line: string) => {
    const sample = parseSample(line);
    enter(familyOf(sample.name, families));
    const key = JSON.stringify([sample.name, Object.entries(sample.labels).sort()]);
    if (series.has(key)) throw new Error('the same series twice');
    series.add(key);
    const list = samples.get(sample.name) ?? [];
    list.push(sample);
    samples.set(sample.name, list);
  };

  if (text !== '' && !text.endsWith('\n')) throw new Error('expected the last line to end with a newline');
  text
    .split('\n')
    .slice(0, -1)
    .forEach((line, index) => {
      try {
        if (line.startsWith('#')) readComment(line);
        else if (line !== '') readSample(line);
      } catch (error) {
        throw new Error(`line ${index + 1}: ${(error as Error).message}: ${line}`, { cause: error });
      }
    });

  const samplesOf = (name: string) => samples.get(name) ?? [];
  return {
    families: new Map([...families].map(([name, { type = 'untyped', help }]) => [name, { type, help }])),
    samples: samplesOf,
    value(name, labels = {}) {
      const wanted = Object.entries(labels);
      const matching = samplesOf(name).filter((sample) => wanted.every(([key, value]) => sample.labels[key] === value));
      if (matching.length > 1) {
        throw new Error(`${matching.length} samples of ${name} have the labels ${JSON.stringify(labels)}`);
      }
      return matching[0]?.value;
    },
  };
}

/** Parses a metric name with optional labels and returns the rest. Throws if either is invalid. */
function parseName(text: string): Omit<Sample, 'value'> & { rest: string } {
  const name = NAME.exec(text)?.[0];
  if (name === undefined) throw new Error('bad metric name');
  let rest = text.slice(name.length);
  const labels = new Map<string, string>();
  if (rest.startsWith('{')) {
    rest = rest.slice(1);
    while (!rest.startsWith('}')) {
      const label = LABEL.exec(rest);
      if (label === null) throw new Error('bad label');
      const [whole, key = '', value = ''] = label;
      if (labels.has(key)) throw new Error(`label ${key} twice`);
      labels.set(key, unescape(value));
      rest = rest.slice(whole.length);
    }
    rest = rest.slice(1);
  }
  return { name, labels: Object.fromEntries(labels), rest };
}

/** Parses a series without a value, such as `up{job="xen"}`. Throws if it is invalid. */
export function parseSeries(text: string): Omit<Sample, 'value'> {
  const { name, labels, rest } = parseName(text);
  if (rest !== '') throw new Error(`expected the end of the series, found ${rest}`);
  return { name, labels };
}

function parseSample(line: string): Sample {
  const { name, labels, rest } = parseName(line);
  const value = VALUE.exec(rest)?.[1];
  if (value === undefined) throw new Error('bad value');
  return { name, labels, value: sampleNumber(value) };
}

/** The declared family of a sample. A sample without a TYPE is its own family. */
function familyOf(sample: string, families: ReadonlyMap<string, { type: string | undefined }>): string {
  for (const [type, suffixes] of Object.entries(SUFFIXES)) {
    for (const suffix of suffixes) {
      const family = sample.slice(0, sample.length - suffix.length);
      if (sample.endsWith(suffix) && families.get(family)?.type === type) return family;
    }
  }
  const type = families.get(sample)?.type;
  if (type === 'histogram') throw new Error(`expected ${sample}_bucket, ${sample}_sum or ${sample}_count`);
  return sample;
}

/** Parses a number of the exposition or of Prometheus's API. */
export function sampleNumber(text: string): number {
  return Number(text.replace(/^([+-]?)Inf$/, '$1Infinity'));
}

const unescape = (text: string) => text.replace(/\\([\\"n])/g, (_, char: string) => (char === 'n' ? '\n' : char));

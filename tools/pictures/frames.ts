// Converts Prometheus's answers like Grafana's data source (public/app/plugins/datasource/prometheus,
// result_transformer.ts).
import { FieldType, type DataFrame, type Field } from '@grafana/data';

/** An answer of /api/v1/query or query_range. */
export interface Answer {
  refId: string;
  legend: string;
  format: 'table' | 'heatmap' | 'time_series';
  result: { metric: Record<string, string>; value?: [number, string]; values?: [number, string][] }[];
}

const field = (name: string, type: FieldType, values: unknown[], more: Partial<Field> = {}): Field => ({
  name,
  type,
  values,
  config: {},
  ...more,
});

const legendOf = (legend: string, metric: Record<string, string>): string =>
  legend.replaceAll(/\{\{\s*(\w+)\s*\}\}/g, (_, label: string) => metric[label] ?? '');

const seriesFrames = ({ refId, legend, result }: Answer): DataFrame[] =>
  result.map(({ metric, value, values = value ? [value] : [] }) => {
    const name = legendOf(legend, metric);
    return {
      refId,
      name,
      length: values.length,
      fields: [
        field(
          'Time',
          FieldType.time,
          values.map(([time]) => time * 1000),
        ),
        field(
          'Value',
          FieldType.number,
          // Grafana treats NaN as no value.
          values.map(([, number]) => (number === 'NaN' ? null : Number(number))),
          { labels: metric, config: name === '' ? {} : { displayNameFromDS: name } },
        ),
      ],
    };
  });

const tableFrame = ({ refId, result }: Answer, isOnly: boolean): DataFrame => {
  const labels = [...new Set(result.flatMap(({ metric }) => Object.keys(metric)))].sort();
  if (result.length === 0) return { refId, length: 0, fields: [] };
  return {
    refId,
    length: result.length,
    fields: [
      field(
        'Time',
        FieldType.time,
        result.map(({ value }) => value![0] * 1000),
      ),
      ...labels.map((label) =>
        field(
          label,
          FieldType.string,
          result.map(({ metric }) => metric[label] ?? ''),
        ),
      ),
      field(
        isOnly ? 'Value' : `Value #${refId}`,
        FieldType.number,
        result.map(({ value }) => Number(value![1])),
      ),
    ],
  };
};

/** Buckets in ascending order, each without the ones below it. */
const heatmapFrames = (answer: Answer): DataFrame[] => {
  const bound = ({ fields }: DataFrame): number => Number(fields[1]!.labels!['le']!.replace('+Inf', 'Infinity'));
  const frames = seriesFrames(answer).sort((one, other) => bound(one) - bound(other));
  return frames.map((frame, index) => {
    const below = frames[index - 1]?.fields[1]!.values;
    const [time, value] = frame.fields as [Field, Field];
    return {
      ...frame,
      fields: [time, { ...value, values: value.values.map((each, at) => Math.max(0, each - (below?.[at] ?? 0))) }],
    };
  });
};

export const framesOf = (answers: readonly Answer[]): DataFrame[] =>
  answers.flatMap((answer) => {
    if (answer.format === 'table') return [tableFrame(answer, answers.length === 1)];
    return answer.format === 'heatmap' ? heatmapFrames(answer) : seriesFrames(answer);
  });

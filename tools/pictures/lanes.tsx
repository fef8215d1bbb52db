// The two panel types for which @grafana/ui has no component.
import { formattedValueToString, getFieldDisplayName, type DataFrame, type TimeRange } from '@grafana/data';
import { useTheme2 } from '@grafana/ui';
import { interpolateOranges } from 'd3-scale-chromatic';

interface Props {
  frames: DataFrame[];
  range: TimeRange;
  width: number;
  height: number;
}

const labelWidth = 110;
const axisHeight = 22;

const Axis = ({ range, left, width, y }: { range: TimeRange; left: number; width: number; y: number }) => {
  const theme = useTheme2();
  const [from, to] = [range.from.valueOf(), range.to.valueOf()];
  // As many labels as fit.
  const step = Math.ceil((((to - from) / width) * 90) / 10_000) * 10_000;
  const ticks = [];
  for (let time = Math.ceil(from / step) * step; time <= to; time += step) ticks.push(time);
  return ticks.map((time) => (
    <text
      key={time}
      x={left + ((time - from) / (to - from)) * width}
      y={y}
      fontSize={12}
      textAnchor="middle"
      fill={theme.colors.text.primary}
    >
      {new Date(time).toISOString().slice(11, 19)}
    </text>
  ));
};

/** A value holds until the next one. */
const spans = (times: number[], range: TimeRange, width: number): { x: number; width: number }[] => {
  const [from, to] = [range.from.valueOf(), range.to.valueOf()];
  const at = (time: number): number => ((Math.min(time, to) - from) / (to - from)) * width;
  return times.map((time, index) => ({ x: at(time), width: at(times[index + 1] ?? to) - at(time) }));
};

/** One lane per series, coloured by its value. */
export const Lanes = ({ frames, range, width, height }: Props) => {
  const theme = useTheme2();
  const laneHeight = (height - axisHeight) / frames.length;
  return (
    <svg width={width} height={height}>
      {frames.map((frame, lane) => {
        const [time, value] = frame.fields as [(typeof frame.fields)[0], (typeof frame.fields)[0]];
        const y = lane * laneHeight;
        return (
          <g key={lane}>
            <text
              x={labelWidth - 8}
              y={y + laneHeight / 2 + 4}
              textAnchor="end"
              fontSize={12}
              fill={theme.colors.text.primary}
            >
              {getFieldDisplayName(value, frame, frames)}
            </text>
            {spans(time.values, range, width - labelWidth - 8).map((span, index) => (
              <rect
                key={index}
                x={labelWidth + span.x}
                y={y + laneHeight * 0.08}
                width={span.width + 0.5}
                height={laneHeight * 0.84}
                fill={value.display!(value.values[index]).color}
                fillOpacity={0.8}
              />
            ))}
          </g>
        );
      })}
      <Axis range={range} left={labelWidth} width={width - labelWidth - 8} y={height - 6} />
    </svg>
  );
};

/** One row per bucket, the greatest on top, coloured by its count. */
export const Heatmap = ({ frames, range, width, height }: Props) => {
  const theme = useTheme2();
  const most = Math.max(...frames.flatMap(({ fields }) => fields[1]!.values));
  const rowHeight = (height - axisHeight) / frames.length;
  const left = 50;
  return (
    <svg width={width} height={height}>
      {frames.map((frame, row) => {
        const [time, value] = frame.fields as [(typeof frame.fields)[0], (typeof frame.fields)[0]];
        const y = (frames.length - 1 - row) * rowHeight;
        const bound = Number(value.labels!['le']);
        return (
          <g key={row}>
            <text
              x={left - 6}
              y={y + rowHeight / 2 + 4}
              textAnchor="end"
              fontSize={12}
              fill={theme.colors.text.primary}
            >
              {Number.isFinite(bound) ? `${Math.round(bound * 100)}%` : '+Inf'}
            </text>
            {spans(time.values, range, width - left - 8).map((span, index) => {
              const number = value.values[index];
              if (!(number > 1e-9)) return null;
              return (
                <rect
                  key={index}
                  x={left + span.x}
                  y={y + 1}
                  width={Math.max(1, span.width - 1)}
                  height={rowHeight - 2}
                  fill={interpolateOranges(Math.sqrt(number / most))}
                >
                  <title>{formattedValueToString(value.display!(number))}</title>
                </rect>
              );
            })}
          </g>
        );
      })}
      <Axis range={range} left={left} width={width - left - 8} y={height - 6} />
    </svg>
  );
};

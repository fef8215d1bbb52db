// Draws a dashboard from its JSON and Prometheus's answers, with Grafana's own components and field options.
import {
  createTheme,
  dateTime,
  getFieldDisplayValues,
  ThemeContext,
  type DataFrame,
  type TimeRange,
} from '@grafana/data';
import {
  BigValue,
  BigValueColorMode,
  BigValueGraphMode,
  type BigValueTextMode,
  GlobalStyles,
  PanelChrome,
  PanelContextProvider,
  TimeSeries,
  VizRepeater,
} from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';
import { createRoot } from 'react-dom/client';
import { prepared } from './field-config.ts';
import { framesOf, type Answer } from './frames.ts';
import { Heatmap, Lanes } from './lanes.tsx';
import type { Panel } from './panel.ts';

export interface Picture {
  title: string;
  panels: Panel[];
  /** Answers by panel id. */
  answers: Record<number, Answer[]>;
  /** The variables' values in words. */
  chosen: string;
  /** Seconds since 1970. */
  from: number;
  to: number;
  isDark: boolean;
  width: number;
}

// Grafana's grid (GRID_CELL_HEIGHT, GRID_CELL_VMARGIN, GRID_COLUMN_COUNT).
const cellHeight = 30;
const gap = 8;
const columns = 24;
const head = 56;

const Body = (props: { panel: Panel; frames: DataFrame[]; range: TimeRange; width: number; height: number }) => {
  const { panel, frames, range, width, height } = props;
  const theme = createTheme({ colors: { mode: document.body.dataset['mode'] as 'dark' } });
  const isEmpty = frames.every(({ length }) => length === 0);
  if (isEmpty)
    return (
      <div style={{ height, display: 'grid', placeItems: 'center' }}>
        {panel.fieldConfig.defaults.noValue ?? 'No data'}
      </div>
    );
  switch (panel.type) {
    case 'timeseries':
      return (
        <TimeSeries
          frames={frames}
          timeRange={range}
          timeZone="utc"
          width={width}
          height={height}
          legend={panel.options['legend']!}
          options={{}}
        />
      );
    case 'table':
      return (
        <TableNG
          data={frames[0]!}
          width={width}
          height={height}
          timeRange={range}
          fieldConfig={panel.fieldConfig as never}
        />
      );
    case 'stat': {
      const values = getFieldDisplayValues({
        fieldConfig: panel.fieldConfig as never,
        reduceOptions: panel.options['reduceOptions']!,
        replaceVariables: (text) => text,
        theme,
        data: frames,
      });
      return (
        <VizRepeater
          source={values}
          getValues={() => values}
          renderCounter={0}
          width={width}
          height={height}
          orientation={'auto' as never}
          renderValue={({ value, width: w, height: h, count }) => (
            <BigValue
              value={value.display}
              count={count}
              width={w}
              height={h}
              theme={theme}
              colorMode={BigValueColorMode.Value}
              graphMode={BigValueGraphMode.None}
              textMode={panel.options['textMode'] as unknown as BigValueTextMode}
            />
          )}
        />
      );
    }
    case 'state-timeline':
      return <Lanes frames={frames} range={range} width={width} height={height} />;
    case 'heatmap':
      return <Heatmap frames={frames} range={range} width={width} height={height} />;
    default:
      throw new Error(`${panel.title}: a panel of type ${panel.type} is not drawn here`);
  }
};

const draw = async (picture: Picture): Promise<number> => {
  const theme = createTheme({ colors: { mode: picture.isDark ? 'dark' : 'light' } });
  document.body.dataset['mode'] = picture.isDark ? 'dark' : 'light';
  document.body.style.background = theme.colors.background.canvas;
  const range: TimeRange = {
    from: dateTime(picture.from * 1000),
    to: dateTime(picture.to * 1000),
    raw: { from: dateTime(picture.from * 1000), to: dateTime(picture.to * 1000) },
  };
  const unit = (picture.width - gap) / columns;
  const panels = await Promise.all(
    picture.panels.map(async (panel) => ({
      panel,
      frames: panel.type === 'row' ? [] : await prepared(framesOf(picture.answers[panel.id] ?? []), panel, theme),
    })),
  );
  const bottom = Math.max(...picture.panels.map(({ gridPos: { y, h } }) => y + h));
  const total = head + bottom * (cellHeight + gap) + gap;

  const place = ({ x, y, w, h }: Panel['gridPos']): React.CSSProperties => ({
    position: 'absolute',
    left: gap + x * unit,
    top: head + y * (cellHeight + gap),
    width: w * unit - gap,
    height: h * (cellHeight + gap) - gap,
  });
  const context = {
    eventsScope: 'global',
    eventBus: {
      subscribe() {},
      getStream: () => ({
        subscribe: () => ({ unsubscribe() {} }),
        pipe: () => ({ subscribe: () => ({ unsubscribe() {} }) }),
      }),
      publish() {},
    },
  };

  createRoot(document.querySelector('#root')!).render(
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <PanelContextProvider value={context as never}>
        <div style={{ position: 'relative', width: picture.width, height: total, color: theme.colors.text.primary }}>
          <div style={{ position: 'absolute', left: 2 * gap, top: 14, fontSize: 18 }}>
            {picture.title}
            <span style={{ fontSize: 13, marginLeft: 24, color: theme.colors.text.secondary }}>{picture.chosen}</span>
          </div>
          {panels.map(({ panel, frames }) => {
            const style = place(panel.gridPos);
            if (panel.type === 'row')
              return (
                <div key={panel.id} style={{ ...style, fontSize: 16, paddingTop: 6 }}>
                  {panel.collapsed ? '▸' : '▾'} {panel.title}
                  {panel.collapsed && (
                    <span style={{ color: theme.colors.text.secondary, fontSize: 12 }}>
                      {' '}
                      ({panel.panels!.length} panels)
                    </span>
                  )}
                </div>
              );
            return (
              <div key={panel.id} style={style} className="drawn">
                <PanelChrome title={panel.title} width={style.width as number} height={style.height as number}>
                  {(width, height) => (
                    <Body panel={panel} frames={frames} range={range} width={width} height={height} />
                  )}
                </PanelChrome>
              </div>
            );
          })}
        </div>
      </PanelContextProvider>
    </ThemeContext.Provider>,
  );
  return total;
};

declare global {
  interface Window {
    draw: typeof draw;
  }
}
window.draw = draw;

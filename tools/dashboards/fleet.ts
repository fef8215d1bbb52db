import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { dashboardUids } from '../../src/pack/dashboards.ts';
import { scoreName } from '../../src/pack/recording/score.ts';
import { alertTable, firing } from './alert-tables.ts';
import { dashboard, type Board } from './board.ts';
import { toGuest, toHost } from './links.ts';
import { graph, stat, table, type ValueColumn } from './panels.ts';
import { chosen, dropsPerAccept, guestsOfHost, most, onHost, rate, select, worst } from './promql.ts';
import { colours, noneAtAll, scoreLimits, steps, type AlertLimits } from './thresholds.ts';
import { fleetVariables } from './variables.ts';

const score = (...matchers: string[]): string => select(scoreName, chosen.uuid, ...matchers);
const record = (name: string): string => select(`uuid:xen_${name}`, chosen.uuid);
const full = worst('uuid_netns:xen_accept_queue_full:ratio_rate5m');

/** Ranks guests by their strongest cause or full queue, as a multiple of the threshold. */
const badnessOf = ({ thresholdOf }: AlertLimits): string =>
  `max by (uuid) (${score()} or ${full} / ${thresholdOf('XenAcceptQueueOverflow')} or 0 * ${guestsOfHost})`;

/** A value of each of the worst guests. `zero` adds 0 for guests without a value. */
const columnOf =
  (badness: string) =>
  (expr: string, zero = false): string =>
    `max by (uuid, domain, host) ((${expr}${zero ? ` or 0 * max by (uuid) (${guestsOfHost})` : ''}) * on (uuid) group_left (domain, host) ${guestsOfHost}) and on (uuid) ${most(`max by (uuid, domain, host) (${onHost(badness)})`)}`;

const ofFleet = (name: string): string => `sum(${onHost(record(name))})`;

const board = (limits: AlertLimits): Board => {
  const { causesOf, hopsWithCause, limitsOf } = limits;
  const badness = badnessOf(limits);
  const column = columnOf(badness);
  const hopColumns: ValueColumn[] = hopsWithCause.map((hop) => ({
    name: hop,
    expr: column(`max by (uuid) (${score(`hop="${hop}"`)})`, true),
    decimals: 1,
    limits: scoreLimits(),
    words: { '0': { text: '·' } },
  }));
  return {
    uid: dashboardUids.fleet,
    title: 'Xen / Fleet',
    description: 'Every guest as a row, worst first, with the hop of its accept path that is at its limit.',
    variables: fleetVariables(),
    alertsMarked: 'severity="critical"',
    sections: [
      {
        panels: [
          stat({
            title: 'Guests',
            description: 'Guests of the chosen hosts.',
            unit: 'short',
            decimals: 0,
            width: 4,
            query: [`count(${guestsOfHost})`, ''],
          }),
          stat({
            title: 'Refuse connections',
            description: 'Guests with a connection attempt that met a full accept queue in the last 5 minutes.',
            unit: 'short',
            decimals: 0,
            width: 4,
            limits: noneAtAll('critical'),
            query: [`count(${onHost(`(${record('listen_overflows:rate5m')} > 0)`)}) or vector(0)`, ''],
          }),
          stat({
            title: 'Critical alerts',
            description: 'Firing alerts of severity critical for the chosen guests and hosts.',
            unit: 'short',
            decimals: 0,
            width: 4,
            limits: noneAtAll('critical'),
            query: [`count(${firing('severity="critical"', 'host=~"$host"')}) or vector(0)`, ''],
          }),
          stat({
            title: 'Other alerts',
            description: 'Firing alerts of severity warning or info for the chosen guests and hosts.',
            unit: 'short',
            decimals: 0,
            width: 4,
            limits: noneAtAll(),
            query: [`count(${firing('severity!="critical"', 'host=~"$host"')}) or vector(0)`, ''],
          }),
          stat({
            title: 'Links down',
            description: 'Vifs whose backend and frontend are not connected.',
            unit: 'short',
            decimals: 0,
            width: 4,
            limits: noneAtAll(),
            query: [`count(${select('xen_vif_connected', chosen.host)} == 0) or vector(0)`, ''],
          }),
          stat({
            title: 'Exporters down',
            description: 'Exporters that Prometheus cannot scrape, on all hosts and guests.',
            unit: 'short',
            decimals: 0,
            width: 4,
            limits: noneAtAll(),
            query: [`count(${select('up', chosen.job)} == 0) or vector(0)`, ''],
          }),
          table({
            title: 'Guests, the worst first',
            description: `The worst guests, limited by "At most". Hop columns: strongest cause as a multiple of its alert’s threshold, from half on; a dot is less. ${hopsWithCause.map((hop) => `${hop}: ${causesOf(hop).join(', ')}`).join('; ')}. The name links to the guest's accept path.`,
            width: 24,
            height: 14,
            labels: [
              { label: 'domain', name: 'Guest', link: toGuest, width: 120 },
              { label: 'host', name: 'Host', link: toHost('Host'), width: 150 },
            ],
            hidden: ['uuid'],
            values: [
              {
                name: 'Worst',
                expr: column(badness),
                decimals: 1,
                limits: scoreLimits(),
              },
              { name: 'Accepts', expr: column(record('accepts:rate5m')), unit: 'cps' },
              {
                name: 'Drops per accept',
                expr: column(dropsPerAccept),
                unit: 'percentunit',
                decimals: 1,
                limits: steps([1e-9, colours.critical]),
              },
              {
                name: 'Queue full',
                expr: column(full),
                unit: 'percentunit',
                decimals: 1,
                limits: limitsOf('XenAcceptQueueOverflow'),
              },
              {
                name: 'Accept wait',
                expr: column(worst('uuid_netns:xen_accept_wait_seconds:mean5m')),
                unit: 's',
                decimals: 1,
              },
              {
                name: 'Link',
                expr: column(record('vif_disconnected:bool'), true),
                words: { '0': { text: 'up' }, '1': { text: 'down' } },
                limits: limitsOf('XenVifDisconnected'),
              },
              ...hopColumns,
            ],
            sortBy: 'Worst',
          }),
        ],
      },
      {
        title: 'Alerts and rates',
        panels: [
          alertTable(12, 8, 'host=~"$host"'),
          graph({
            title: 'Accepts and refused attempts',
            description:
              'Connections that entered an accept queue, and attempts that met a full queue, for all chosen guests.',
            unit: 'cps',
            width: 12,
            height: 8,
            queries: [
              [ofFleet('accepts:rate5m'), 'accepts'],
              [ofFleet('listen_overflows:rate5m'), 'attempts that met a full queue'],
            ],
          }),
          graph({
            title: 'Share of time with a full accept queue',
            description: 'For the guests with the highest values. XenAcceptQueueOverflow fires above the line.',
            unit: 'percentunit',
            width: 12,
            limits: limitsOf('XenAcceptQueueOverflow'),
            queries: [[most(onHost(full)), '{{domain}}']],
          }),
          graph({
            title: 'Lost before they reach a guest',
            description: 'Packets that a host’s network cards, connection tracking and Open vSwitch lose.',
            unit: 'pps',
            width: 12,
            queries: [
              [
                most(
                  `sum by (instance) (${rate('xen_uplink_receive_missed_total', chosen.host)} or ${rate('xen_conntrack_drops_total', chosen.host)} or ${rate('xen_ovs_lost_packets_total', chosen.host)})`,
                ),
                '{{instance}}',
              ],
            ],
          }),
        ],
      },
    ],
  };
};

export const fleet = (limits: AlertLimits): Dashboard => dashboard(board(limits));

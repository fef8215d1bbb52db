import type { Alert } from './alert.ts';
import { meta } from './exporter-alerts.ts';
import { causesInGuest } from './guest-causes.ts';
import { causesOnHost } from './host-causes.ts';
import { pageAlerts } from './page-alerts.ts';
import { symptoms } from './symptoms.ts';

/** The whole pack in reading order. */
export const alerts: readonly Alert[] = [...symptoms, ...pageAlerts, ...causesInGuest, ...causesOnHost, ...meta];

/** Throws if the pack has no alert of that name. */
export const alertNamed = (name: string): Alert => {
  const alert = alerts.find((each) => each.name === name);
  if (!alert) throw new Error(`expected an alert of src/pack, found ${name}`);
  return alert;
};

import type { Alert } from './alert.ts';
import { meta } from './exporter-alerts.ts';
import { causesInGuest } from './guest-causes.ts';
import { causesOnHost } from './host-causes.ts';
import { symptoms } from './symptoms.ts';

/** The whole pack, in the order in which a person reads it. */
export const alerts: readonly Alert[] = [...symptoms, ...causesInGuest, ...causesOnHost, ...meta];

import { hostname } from 'node:os';

/** An exporter that is read. */
export interface Target {
  /** Its address, as the label instance. */
  instance: string;
  /** Whether it may speak for domains and vifs: the exporter of a Dom0 or driver domain. */
  isHost: boolean;
}

/** Finds a metric that only the exporter of a host has: in a page, or as a name. */
export const hostMetric = /^xen_(?:domain|vif)_/m;

/** This machine, whose own readings are trusted. */
export const thisMachine = (isHost: boolean): Target => ({ instance: hostname(), isHost });

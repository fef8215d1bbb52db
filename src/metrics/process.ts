import { collectDefaultMetrics, Registry } from 'prom-client';

/** CPU, memory, descriptors, garbage collection and event loop of this process, as every Node exporter names them. */
export const processMetrics = (): Registry => {
  const registry = new Registry();
  // The delay monitor is a timer: at prom-client's 10 ms it would wake an idle process 100 times a second.
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 50 });
  return registry;
};

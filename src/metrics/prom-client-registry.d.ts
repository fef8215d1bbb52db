// The index of prom-client loads default metrics and their imports (cluster, perf_hooks): 5 MB that we do not need.
declare module 'prom-client/lib/registry.js' {
  export { Registry as default } from 'prom-client';
}

// The index of prom-client loads its default metrics and what they need (cluster, perf_hooks), 5 MB that we have no use for.
declare module 'prom-client/lib/registry.js' {
  export { Registry as default } from 'prom-client';
}

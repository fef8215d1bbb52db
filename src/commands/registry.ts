import type { CommandEntry } from './command.ts';

/** All commands. The first one is the default. Usage, each --help and the manual page are generated from this list. */
export const commands: readonly CommandEntry[] = [
  {
    name: 'serve',
    summary: 'Serves the metrics of this machine (default command).',
    load: async () => (await import('./serve.ts')).serve,
  },
  {
    name: 'doctor',
    summary: 'Names the guest that suffers, the cause and the command to run, without Prometheus.',
    failureStatus: 3,
    load: async () => (await import('./doctor.ts')).doctor,
  },
  {
    name: 'helper',
    summary: 'Reads for an exporter what needs root.',
    load: async () => (await import('./helper.ts')).helper,
  },
  {
    name: 'rules',
    summary: 'Prints recording and alerting rules for Prometheus.',
    load: async () => (await import('./rules.ts')).rules,
  },
  {
    name: 'health',
    summary: 'Checks that a running exporter answers.',
    load: async () => (await import('./health.ts')).health,
  },
  {
    name: 'probes',
    summary: 'Removes kernel probes that a killed exporter left behind (--cleanup).',
    load: async () => (await import('./probes.ts')).probes,
  },
];

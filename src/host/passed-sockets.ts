const firstDescriptor = 3;

/**
 * File descriptors of the listening sockets that systemd passed (sd_listen_fds(3)). Removes their variables from
 * `environment`, so that child processes do not claim them.
 */
export const takePassedSockets = (environment: NodeJS.ProcessEnv): number[] => {
  const { LISTEN_PID: owner, LISTEN_FDS: count = '' } = environment;
  delete environment['LISTEN_PID'];
  delete environment['LISTEN_FDS'];
  delete environment['LISTEN_FDNAMES'];
  if (Number(owner) !== process.pid || !/^\d{1,4}$/.test(count)) return [];
  return Array.from({ length: Number(count) }, (_, index) => firstDescriptor + index);
};

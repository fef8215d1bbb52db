const firstDescriptor = 3;

/**
 * The file descriptors of the listening sockets that systemd passes to this process (sd_listen_fds(3)). Takes the variables that name them out of
 * `environment`, so that no program that this process starts takes them for its own.
 */
export const takePassedSockets = (environment: NodeJS.ProcessEnv): number[] => {
  const { LISTEN_PID: owner, LISTEN_FDS: count = '' } = environment;
  delete environment['LISTEN_PID'];
  delete environment['LISTEN_FDS'];
  delete environment['LISTEN_FDNAMES'];
  if (Number(owner) !== process.pid || !/^\d{1,4}$/.test(count)) return [];
  return Array.from({ length: Number(count) }, (_, index) => firstDescriptor + index);
};

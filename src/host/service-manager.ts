import { loadSocketCalls, SOCK_CLOEXEC } from './libc.ts';
import { AF_UNIX, unixAddress } from './unix-socket.ts';

const SOCK_DGRAM = 2;
const MSG_DONTWAIT = 0x40;

/** The service manager that started this process, such as systemd with Type=notify (sd_notify(3)). */
export interface ServiceManager {
  /**
   * Reports that this process is ready, and then signs of life at the requested interval. Rejects if it cannot report.
   */
  ready(): Promise<void>;
  /** Reports that this process is stopping. */
  stopping(): void;
}

const noManager: ServiceManager = { ready: () => Promise.resolve(), stopping: () => {} };

/** The service manager that `environment` names. Without one, all calls do nothing. */
export const serviceManager = ({
  NOTIFY_SOCKET: path,
  WATCHDOG_USEC: watchdogMicroseconds,
}: NodeJS.ProcessEnv): ServiceManager => {
  if (!path) return noManager;
  let tell = (_state: string): void => {};
  let watchdog: NodeJS.Timeout | undefined;

  return {
    ready: async () => {
      const libc = await loadSocketCalls();
      const socket = libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
      const address = unixAddress(path);
      if (socket < 0 || libc.connect(socket, address, address.length) < 0) {
        throw new Error(`NOTIFY_SOCKET ${path}: ${libc.errorName(libc.errno())}`);
      }
      tell = (state) => void libc.send(socket, Buffer.from(state), state.length, MSG_DONTWAIT);
      tell('READY=1');
      if (!watchdogMicroseconds) return;
      // Half of the interval, as sd_watchdog_enabled(3) recommends.
      watchdog = setInterval(() => tell('WATCHDOG=1'), Number(watchdogMicroseconds) / 2e3).unref();
    },
    stopping: () => {
      clearInterval(watchdog);
      tell('STOPPING=1');
    },
  };
};

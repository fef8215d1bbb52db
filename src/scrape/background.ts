import type { BackgroundTask } from '../collectors/collector.ts';

export type RunningBackground = Disposable & { readonly state: { error: Error | undefined } };

/** Runs a background task again and again, never two at once, until it is disposed of. */
export const startBackground = (task: BackgroundTask): RunningBackground => {
  const state: { error: Error | undefined } = { error: undefined };
  let timer: NodeJS.Timeout | undefined;
  let isStopped = false;

  const round = async (): Promise<void> => {
    try {
      await task.run();
      state.error = undefined;
    } catch (error) {
      state.error = error as Error;
    }
    if (!isStopped) timer = setTimeout(round, task.intervalSeconds * 1e3).unref();
  };

  void round();
  return {
    state,
    [Symbol.dispose]: () => {
      isStopped = true;
      clearTimeout(timer);
    },
  };
};

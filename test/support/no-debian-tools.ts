import { vi } from 'vitest';

const refuse = () => {
  throw new Error('the project unit has no Debian tools: rename this file to *.debian.test.ts (vitest.config.ts)');
};

vi.mock('../../tools/lib/debian.ts', async (importOriginal) =>
  Object.fromEntries(Object.keys(await importOriginal<object>()).map((name) => [name, refuse])),
);

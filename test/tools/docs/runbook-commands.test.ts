import dedent from 'dedent';
import { describe, expect, test } from 'vitest';
import {
  assignmentsOf,
  blocksOf,
  commandsOf,
  measuresOf,
  namingGuest,
  placeholdersIn,
  sectionOf,
  stepsOf,
  substituted,
} from '../../../tools/docs/runbook-commands.ts';

const page = dedent`
  # XenThing

  ## First minute

  \`\`\`console
  dom0# G='domu1'; D=$(xl domid "$G")
  guest# PORT=8080
  \`\`\`

  1. A look.

     \`\`\`console
     dom0# xl list "$D"
     Name   ID
     guest# ss -ltn
     \`\`\`

  ## Stop the harm

  ### More weight

  1. **Save**: what is there.

     \`\`\`console credit
     dom0# xl sched-credit -d "$D" > /run/it
     \`\`\`

     \`\`\`text
     dom0# is no command here; **Do** is no step
     \`\`\`

  2. **Do.** It is quick.

     \`\`\`console credit
     dom0# xl sched-credit -d "$D" -w <WEIGHT>
     \`\`\`

  3. **Verify within 30 seconds**: it is less.
  4. **Undo:** as it was.

  **Do not** do it twice.

  ### Nothing else

  \`\`\`console
  dom0# xl list
  \`\`\`
`;

test('blocks know their section, their step and where they can run', () => {
  expect(blocksOf(page).map(({ section, step, only, commands }) => [section, step, only, commands.length])).toEqual([
    ['First minute', undefined, '', 2],
    ['First minute', undefined, '', 2],
    ['Stop the harm', 'Save', 'credit', 1],
    ['Stop the harm', 'Do', 'credit', 1],
    ['Stop the harm', undefined, '', 1],
  ]);
});

test('commands are the lines behind a prompt', () => {
  expect(commandsOf(page).slice(2, 5)).toEqual([
    { machine: 'dom0', command: 'xl list "$D"' },
    { machine: 'guest', command: 'ss -ltn' },
    { machine: 'dom0', command: 'xl sched-credit -d "$D" > /run/it' },
  ]);
});

test('steps are those of measures', () => {
  expect(stepsOf(page)).toEqual(['Save', 'Do', 'Verify', 'Undo']);
});

test('variables are those that the first minute sets for this machine', () => {
  expect(assignmentsOf(page, 'dom0')).toEqual([`G='domu1'; D=$(xl domid "$G")`]);
  expect(assignmentsOf(page, 'guest')).toEqual(['PORT=8080']);
});

test('a section ends where the next one begins', () => {
  expect(sectionOf(page, 'First minute')).toContain('ss -ltn');
  expect(sectionOf(page, 'First minute')).not.toContain('weight');
  expect(sectionOf(page, 'Escalate')).toBe('');
});

describe('placeholders', () => {
  test('are names in capitals between angle brackets', () => {
    expect(placeholdersIn(`xl vcpu-pin "$D" all '<CPUS>' <a> <2 > <DOM0_CPUS>`)).toEqual(['CPUS', 'DOM0_CPUS']);
  });

  test('are replaced everywhere', () => {
    expect(substituted(`echo <A> '<B>' <A>`, { A: '1', B: '2-3' })).toBe(`echo 1 '2-3' 1`);
  });

  test('without a value are an error', () => {
    expect(() => substituted('echo <A>', {})).toThrow('no value for <A> of: echo <A>');
  });
});

test('only the variable gets the name of the guest', () => {
  expect(namingGuest(`G='domu1'; D=$(xl domid "$G"); echo "TAG='x' $G"`, 'web server')).toBe(
    `G='web server'; D=$(xl domid "$G"); echo "TAG='x' $G"`,
  );
});

test('measures have a title, what stands before their steps, and their blocks; those without commands are left out', () => {
  const page = dedent`
    ## Stop the harm

    ### First

    Use this if it rains. **Risk:** none.

    1. **Save:**

       \`\`\`console
       dom0# a
       \`\`\`

    2. **Do.** Carefully:

       \`\`\`console credit
       dom0# b
       \`\`\`

    ### Second

    See elsewhere.

    ## Escalate

    ### Third
  `;
  expect(measuresOf(page)).toEqual([
    {
      title: 'First',
      introduction: 'Use this if it rains. **Risk:** none.',
      blocks: [
        { section: '', step: 'Save', only: '', commands: [{ machine: 'dom0', command: 'a' }] },
        { section: '', step: 'Do', only: 'credit', commands: [{ machine: 'dom0', command: 'b' }] },
      ],
    },
  ]);
});

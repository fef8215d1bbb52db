import type { Clock } from '../clock.ts';
import { FileError, FileTree } from '../file-tree.ts';
import type { Exchange } from './blocking-client.ts';
import { answerIn, endOfRequest, FrameReader, ProtocolError, type FilesAnswer } from './protocol.ts';
import { remoteFiles, type FilesRequest, type RemoteTree } from './requests.ts';

// A reader that takes longer gets newer files.
const freshSeconds = 0.25;

/** Names by folder, including unreadable files. */
const foldersOf = ({ files, failures }: FilesAnswer): ReadonlyMap<string, ReadonlySet<string>> => {
  const folders = new Map<string, Set<string>>();
  const add = (path: string): void => {
    const end = path.lastIndexOf('/');
    if (end < 0) return;
    const folder = path.slice(0, end);
    const names = folders.get(folder);
    if (names) return void names.add(path.slice(end + 1));
    folders.set(folder, new Set([path.slice(end + 1)]));
    add(folder);
  };
  [...Object.keys(files), ...Object.keys(failures)].forEach(add);
  return folders;
};

/** All files of a request at one time. Each is returned once: a second read wants a newer version. */
class Copy {
  readonly answer: FilesAnswer;
  readonly #until: number;
  readonly #taken = new Set<string>();
  #folders: ReadonlyMap<string, ReadonlySet<string>> | undefined;

  constructor(answer: FilesAnswer, until: number) {
    this.answer = answer;
    this.#until = until;
  }

  isFresh(now: number): boolean {
    return now < this.#until;
  }

  /** Whether the file is still available. */
  take(name: string): boolean {
    if (this.#taken.has(name)) return false;
    this.#taken.add(name);
    return true;
  }

  names(folder: string): string[] {
    this.#folders ??= foldersOf(this.answer);
    return [...(this.#folders.get(folder) ?? [])];
  }
}

/** Answers of one request, for code that reads file by file. */
export class RemoteCopies {
  readonly #request: FilesRequest;
  readonly #exchange: Exchange;
  readonly #clock: Clock;
  #copy: Copy | undefined;

  constructor(request: FilesRequest, exchange: Exchange, clock: Clock) {
    this.#request = request;
    this.#exchange = exchange;
    this.#clock = clock;
  }

  /** Whether the file existed at the helper's last reading. */
  has(name: string): boolean {
    const { files = {}, failures = {} } = this.#copy?.answer ?? {};
    return Object.hasOwn(files, name) || !['ENOENT', undefined].includes(failures[name]);
  }

  /** Content of a file. Throws FileError with `path`. */
  content(name: string, path: string): Buffer {
    let copy = this.#current(path);
    if (!copy.take(name)) {
      copy = this.#read(path);
      copy.take(name);
    }
    const { files, failures } = copy.answer;
    const content = files[name];
    if (content !== undefined) return Buffer.from(content, 'latin1');
    throw failure(path, failures[name] ?? 'ENOENT');
  }

  /** Names in a folder. Throws FileError with `path`. */
  names(folder: string, path: string): string[] {
    const copy = this.#current(path);
    const code = copy.answer.failures[folder];
    if (code !== undefined) throw failure(path, code);
    return copy.names(folder);
  }

  #current(path: string): Copy {
    return this.#copy?.isFresh(this.#clock.monotonicSeconds()) ? this.#copy : this.#read(path);
  }

  #read(path: string): Copy {
    try {
      const last = new FrameReader().push(this.#exchange(`${this.#request}${endOfRequest}`)).at(-1);
      if (last === undefined) throw new ProtocolError('expected an answer, found none');
      this.#copy = new Copy(answerIn<FilesAnswer>(last), this.#clock.monotonicSeconds() + freshSeconds);
      return this.#copy;
    } catch (error) {
      throw new FileError(path, 'EHELPER', `the helper does not answer: ${(error as Error).message}`);
    }
  }
}

const failure = (path: string, code: string): FileError => new FileError(path, code, `${code} (read by the helper)`);

/** A local tree, except for files that the helper reads. */
export class TreeWithHelper extends FileTree {
  /** Copies by the first part of the name. */
  readonly #copies: ReadonlyMap<string, RemoteCopies>;

  constructor({ root, openFiles, beforeEach }: FileTree, copies: ReadonlyMap<string, RemoteCopies>) {
    super(root, openFiles, beforeEach);
    this.#copies = copies;
  }

  override with(beforeEach: (path: string) => void): FileTree {
    return new TreeWithHelper(super.with(beforeEach), this.#copies);
  }

  override cachedText(name: string): string {
    return this.#copiesOf(name) ? this.text(name) : super.cachedText(name);
  }

  override unsorted(name: string): string[] {
    const copies = this.#copiesOf(name);
    if (!copies) return super.unsorted(name);
    const path = this.path(name);
    this.beforeEach(path);
    return copies.names(name, path);
  }

  override exists(name: string): boolean {
    const copies = this.#copiesOf(name);
    if (!copies) return super.exists(name);
    this.beforeEach(this.path(name));
    return copies.has(name);
  }

  protected override read(...args: Parameters<FileTree['read']>): Buffer {
    const [name] = args;
    const copies = this.#copiesOf(name);
    if (!copies) return super.read(...args);
    const path = this.path(name);
    this.beforeEach(path);
    return copies.content(name, path);
  }

  #copiesOf(name: string): RemoteCopies | undefined {
    return this.#copies.get(name.split('/', 1)[0]!);
  }
}

/** Copies of a tree's files by the first part of the name. */
export const copiesOfTree = (tree: RemoteTree, exchange: Exchange, clock: Clock): ReadonlyMap<string, RemoteCopies> =>
  new Map(
    Object.entries(remoteFiles)
      .filter(([, files]) => files.tree === tree)
      .map(([request, { root }]) => [root, new RemoteCopies(request as FilesRequest, exchange, clock)]),
  );

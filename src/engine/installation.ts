/** Where this installation of Basin lies, and which version it is. */
import { readFileSync, realpathSync } from 'node:fs';
import path from 'node:path';

export interface Installation {
  /** The folder with every bundle. */
  readonly dist: string;
  readonly version: string;
}

/** Every entry point is a bundle directly in dist/, which lies beside package.json. */
export function findInstallation(entryPoint = process.argv[1] ?? ''): Installation {
  const dist = path.dirname(realpathSync(entryPoint));
  const { version } = JSON.parse(readFileSync(path.join(dist, '..', 'package.json'), 'utf8')) as {
    version: string;
  };
  return { dist, version };
}

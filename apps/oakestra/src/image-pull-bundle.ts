import { runImagePullProgram } from '@oakestra/runtimes/pull';

/** The child process of a worker that pulls one image. */
export async function run(): Promise<number> {
  const exitCode = await runImagePullProgram();
  // Connections that a registry keeps open must not keep this process.
  process.exit(exitCode);
}

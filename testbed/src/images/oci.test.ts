import { describe, expect, it } from 'vitest';
import { parseLdd } from './debian-files.ts';
import { digestOf, hostPlatform, imageConfig, imageIndex, imageManifest, type LayerBlob } from './oci.ts';

const layer: LayerBlob = {
  compression: 'zstd',
  digest: `sha256:${'a'.repeat(64)}`,
  sizeBytes: 5,
  diffId: 'sha256:d',
};
const amd64 = { os: 'linux', architecture: 'amd64' } as const;

describe('image documents', () => {
  it('describe themselves by digest and size', () => {
    const { content, descriptor } = imageConfig(amd64, [layer], {});
    expect(descriptor).toEqual({
      mediaType: 'application/vnd.oci.image.config.v1+json',
      digest: digestOf(content),
      size: content.length,
    });
    expect(digestOf('')).toBe('sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
  });

  it('carry the settings under the names of the specification', () => {
    const settings = {
      entrypoint: ['/bin/serve'],
      user: '1000:1000',
      exposedPorts: ['8080/tcp'],
      stopSignal: 'SIGQUIT',
      environment: ['A=b'],
    };
    const config = JSON.parse(imageConfig(amd64, [layer], settings).content.toString());
    expect(config.rootfs.diff_ids).toEqual(['sha256:d']);
    expect(config.config).toMatchObject({
      Entrypoint: ['/bin/serve'],
      User: '1000:1000',
      ExposedPorts: { '8080/tcp': {} },
      StopSignal: 'SIGQUIT',
    });
    expect(config.config.Env).toEqual([expect.stringMatching(/^PATH=/), 'A=b']);
    const own = JSON.parse(imageConfig(amd64, [], { environment: ['PATH=/x'] }).content.toString());
    expect(own.config).toEqual({ Env: ['PATH=/x'] });
  });

  it('list layers with the media type of their compression, and platforms in an index', () => {
    const config = imageConfig(amd64, [layer], {});
    const manifest = imageManifest(config.descriptor, [layer]);
    expect(JSON.parse(manifest.content.toString()).layers).toEqual([
      { mediaType: 'application/vnd.oci.image.layer.v1.tar+zstd', digest: layer.digest, size: 5 },
    ]);
    const index = imageIndex([{ ...manifest.descriptor, platform: amd64 }]);
    expect(JSON.parse(index.content.toString()).manifests[0].platform).toEqual(amd64);
    expect(hostPlatform('arm64').architecture).toBe('arm64');
    expect(hostPlatform('x64').architecture).toBe('amd64');
  });

  it('collect the libraries that the dynamic linker names', () => {
    const output =
      '\tlinux-vdso.so.1 (0x00007fff)\n\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f)\n' +
      '\tlibgone.so => not found\n\t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n';
    expect(parseLdd(output)).toEqual(['/lib/x86_64-linux-gnu/libc.so.6', '/lib64/ld-linux-x86-64.so.2']);
    expect(parseLdd('\tstatically linked\n')).toEqual([]);
  });
});

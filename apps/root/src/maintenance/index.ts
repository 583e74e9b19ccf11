export { askRunningRoot, openControlSocket } from './control-socket.ts';
export { exportIdentity, importIdentity } from './identity-archive.ts';

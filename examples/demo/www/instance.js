const MIB = 1024 * 1024;
const show = (id, text) => {
  document.getElementById(id).textContent = text;
};

function duration(seconds) {
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

function memoryLimit(text) {
  const bytes = Number(text);
  // Without a limit the kernel answers with a word, or with a number that no machine has.
  return Number.isFinite(bytes) && bytes < 2 ** 60 ? `${Math.round(bytes / MIB)} MiB` : 'none visible';
}

async function ask() {
  const state = document.getElementById('state');
  try {
    const response = await fetch('cgi-bin/instance', {
      cache: 'no-store',
      signal: AbortSignal.timeout(3000),
    });
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    const instance = await response.json();
    show('greeting', instance.greeting);
    show('hostname', instance.hostname);
    show('addresses', instance.addresses || 'none');
    show('uptime', duration(instance.uptimeSeconds));
    show('limit', memoryLimit(instance.memoryLimit));
    show('platform', instance.platform);
    show('user', instance.user);
    show('client', instance.client);
    state.textContent = 'answering';
    state.classList.remove('lost');
  } catch {
    state.textContent = 'not answering';
    state.classList.add('lost');
  }
  setTimeout(ask, 2000);
}

ask();

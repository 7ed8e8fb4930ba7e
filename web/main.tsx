import { render } from 'preact';
import { start } from './state/start.ts';
import { useText } from './state/state.ts';
import { App } from './view/app.tsx';
import { Boundary } from './view/boundary.tsx';

const page = document.getElementById('page');
// Stored data is loaded before anything can overwrite it.
if (page) void start().then(() => render(<Page />, page));

function Page() {
  const text = useText();
  return (
    <Boundary fallback={<p class="failed">{text.pageFailed}</p>}>
      <App />
    </Boundary>
  );
}

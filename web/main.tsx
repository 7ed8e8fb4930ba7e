import { render } from 'preact';
import { start } from './state/start.ts';
import { App } from './view/app.tsx';

const page = document.getElementById('page');
// What was kept is there before anything can be written over it.
if (page) void start().then(() => render(<App />, page));

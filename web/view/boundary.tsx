import { Component, type ComponentChildren } from 'preact';

interface Props {
  children: ComponentChildren;
  /** Shown in place of children that cannot be drawn. */
  fallback: ComponentChildren;
}

/** What is in it cannot take the rest of the page with it. */
export class Boundary extends Component<Props, { hasFailed: boolean }> {
  override state = { hasFailed: false };

  static override getDerivedStateFromError() {
    return { hasFailed: true };
  }

  override render() {
    return this.state.hasFailed ? this.props.fallback : this.props.children;
  }
}

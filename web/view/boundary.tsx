import { Component, type ComponentChildren } from 'preact';

interface Props {
  children: ComponentChildren;
  /** Shown instead of children that cannot be drawn. */
  fallback: ComponentChildren;
}

/** An error in its children does not affect the rest of the page. */
export class Boundary extends Component<Props, { hasFailed: boolean }> {
  override state = { hasFailed: false };

  static override getDerivedStateFromError() {
    return { hasFailed: true };
  }

  override render() {
    return this.state.hasFailed ? this.props.fallback : this.props.children;
  }
}

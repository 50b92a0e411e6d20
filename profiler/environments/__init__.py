"""Python environments of their own for packages that cannot share ours, and what runs inside them."""

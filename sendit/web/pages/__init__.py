"""The pages: one module each. They ask reports and operations, and render what comes back."""

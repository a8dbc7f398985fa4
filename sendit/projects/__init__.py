"""What a process is started with: the settings, the projects, and what each project talks to. Knows no Django."""

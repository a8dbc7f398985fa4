"""What each process starts with: settings, projects, and the services of each project. Knows no Django."""

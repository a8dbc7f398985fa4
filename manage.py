"""`python manage.py X` is `sendit X`."""

from sendit.__main__ import main

if __name__ == "__main__":
    main()

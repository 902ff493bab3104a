"""Pictures and sounds: files read as arrays, what is measured of them, and copies of the same one."""

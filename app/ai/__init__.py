"""The second readers: worker process, packages, engines. torch never enters the window's process."""

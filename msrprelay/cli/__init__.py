"""The two programs: ``msrprelayd`` and ``msrprelay-ctl``. Options and output, no logic."""

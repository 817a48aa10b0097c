"""Hot code of the control plane by pytest-benchmark.

python -m pytest bench/micro
python -m bench.uncompiled pytest bench/micro      the same without compiled modules
"""

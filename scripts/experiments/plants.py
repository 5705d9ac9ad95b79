def plant(name: str, part: str) -> None:
    pass

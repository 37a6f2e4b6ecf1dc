"""Problems, engines, rankers and devices that the tests share."""

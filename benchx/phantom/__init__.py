"""An analytic chest radiograph simulator, and writers of official dataset layouts that it fills."""

"""Schedule, prediction, sampler and bound, kept apart.

x_t = alpha_t x_0 + sigma_t eps,    alpha_t = sqrt(abar_t),    sigma_t = sqrt(1 - abar_t)
"""

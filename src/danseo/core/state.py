"""The fold: `apply(state, entry)`. (Records of challenges, clues and people live here too.)"""

m4_include([configure.m4])

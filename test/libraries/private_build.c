/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A library with a build of its own of what Cordon is made of: the same names, other answers. Its calls
 * go through its own table, so that whatever the loading program exported would be called instead.
 */
int ffi_call(void);
int ffi_prep_cif(void);
int ffi_closure_alloc(void);
int engine_execute(void);
int lane_end_take(void);
int message_set(void);
int private_sum(void);

int ffi_call(void)
{
    return 1;
}

int ffi_prep_cif(void)
{
    return 20;
}

int ffi_closure_alloc(void)
{
    return 300;
}

int engine_execute(void)
{
    return 4000;
}

int lane_end_take(void)
{
    return 50000;
}

int message_set(void)
{
    return 600000;
}

int private_sum(void)
{
    return ffi_call() + ffi_prep_cif() + ffi_closure_alloc() + engine_execute() + lane_end_take() +
           message_set();
}
